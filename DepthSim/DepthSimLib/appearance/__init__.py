"""How tissue looks: transfer functions, the optics of mucosa, its texture, and the looks made of them."""
