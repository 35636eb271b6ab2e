"""What is done to the libraries, a module for each fault, and what each is held to."""
