"""The configuration in force and all else that an owner wants to keep: planned, applied, backed up, restored."""
