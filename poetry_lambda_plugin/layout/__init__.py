"""Where everything goes: wheels taken apart, filtered, and joined to one plan of the bundle."""
