"""Networks as torch modules: no files, no clamping policy. Import the module you need."""
