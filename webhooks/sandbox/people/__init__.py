"""What people do on GitHub, a module for each thing they do it to. Each deed moves times and is delivered."""
