"""The comparison of all methods on the shipped showers of the neutron calorimeter."""
