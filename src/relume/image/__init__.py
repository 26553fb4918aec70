"""Pure functions on arrays and bytes: files, colour, exposure, filters, tiles, drawing."""
