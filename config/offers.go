package config

// OffersAnything tells whether the host has anything to run or to poll. One that has not may still decide and show.
func (c *Config) OffersAnything() bool { return len(c.Services) > 0 || len(c.Sources) > 0 }
