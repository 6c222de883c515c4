"""Drawing, music and encoding of the demonstration clip."""
