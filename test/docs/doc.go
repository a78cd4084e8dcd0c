// Package docs holds the tests of what the documents claim: commands that are
// printed there are run here.
package docs
