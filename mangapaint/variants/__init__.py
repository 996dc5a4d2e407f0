"""Many colourings of one picture: palettes and noise far apart, the unlikely ones left out, the most different kept."""
