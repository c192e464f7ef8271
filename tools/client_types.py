"""Writes the types of the TypeScript client from the OpenAPI document: `make client-types`."""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from homing.dialects.v1.openapi import openapi_document

CLIENT: Final = Path(__file__).parents[1] / "clients" / "typescript"
TYPES: Final = CLIENT / "src" / "openapi.ts"
GENERATOR: Final = CLIENT / "node_modules" / ".bin" / "openapi-typescript"
OPTIONS: Final = ("--root-types", "--root-types-no-schema-prefix", "--default-non-nullable=false")
FIRST_LINE: Final = "// Written by tools/client_types.py; SHA-256 of the OpenAPI document: {digest}\n"


def first_line() -> str:
    """By it a test knows without Node.js that the types are of this document."""
    return FIRST_LINE.format(digest=hashlib.sha256(openapi_document()).hexdigest())


def client_types() -> str:
    """Raises CalledProcessError; `GENERATOR` must be installed."""
    with tempfile.TemporaryDirectory() as folder:
        document, types = Path(folder, "openapi.json"), Path(folder, "openapi.ts")
        document.write_bytes(openapi_document())
        subprocess.run([GENERATOR, document, "--output", types, *OPTIONS], check=True, capture_output=True)
        return first_line() + types.read_text(encoding="utf-8")


def main() -> int:
    if not GENERATOR.exists():
        print("The generator is not installed: `make client-types` needs Node.js 20 or newer with npm", file=sys.stderr)
        return 1
    TYPES.write_text(client_types(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
