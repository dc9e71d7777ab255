"""The topologies that come with the program, as files."""
