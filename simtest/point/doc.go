// Package point counts which rare places of the production code (internal/point)
// the worlds of a run reach.
//
// It promises: (1) a Coverage counts, for each declared point, its hits and the
// seeds that hit it; (2) String lists all declared points, those never reached first;
// (3) coverages of several processes merge.
//
// It asks of the caller: (a) Start and the function it returns around each world.
//
// It does not decide what is enough: a point that no seed reaches is for a person
// to explain.
//
// Read coverage.go.
package point
