"""The command line: one file a command. Only here does relume print."""
