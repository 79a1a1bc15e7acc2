"""The layered calorimeter of CaloGAN: published recipes, ours, and what their parts are worth."""
