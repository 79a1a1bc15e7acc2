"""The published comparison on the proton calorimeter, beside a split that leaks nothing."""
