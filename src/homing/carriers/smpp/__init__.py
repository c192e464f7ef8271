"""A carrier that is reached by SMPP 3.4; Homing is the ESME."""
