"""Where the bundle will run: AWS's runtimes and what a wheel or a marker sees there."""
