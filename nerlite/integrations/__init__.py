"""nerlite inside other tools: thin adapters, a module a host, each of which imports its host when it is imported."""
