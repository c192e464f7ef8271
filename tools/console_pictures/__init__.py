"""The console's pictures of the README (`docs/pictures/console-*.png`): what they show, and how they are taken."""
