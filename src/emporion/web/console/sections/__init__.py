"""The sections of the console: each a module, or a folder, named as in its address."""
