"""Settings of a recipe tried out on a grid, with several seeds, chosen on validation particles."""
