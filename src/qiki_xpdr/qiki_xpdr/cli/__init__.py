"""Commands of the transponder, one file per verb."""
