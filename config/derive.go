package config

import "stream-api/stream"

// Needs are the variables of other slots without which the service cannot
// start: those its arguments, environment, hooks and published variables
// refer to without a default.
func (s *Service) Needs() []stream.Need {
	templates := []stream.Template{s.URLTemplate}
	for _, use := range s.Templates() {
		templates = append(templates, use.Template)
	}
	return stream.Needs(templates...)
}

// class is everything but load that decides which streams come here.
func (s *Service) class() stream.Class {
	class := stream.Class{Needs: stream.FormatNeeds(s.Needs())}
	if s.StreamFilter != nil {
		class.Filter = s.StreamFilter.String()
	}
	if s.StreamPrefer != nil {
		class.Prefer = s.StreamPrefer.String()
	}
	return class
}

// serviceURL resolves what the service is shown under.
func (c *Config) serviceURL(s *Service) string {
	t := s.URLTemplate
	if t.String() == "" {
		t = s.StreamVars["url"]
	}
	text, err := t.Resolve(c.hostOnly)
	if err != nil {
		return "" // it needs a stream, a slot or a place
	}
	return text
}
