package lint

// linesMax is the most lines of a file that people write: 100 to 250 is the aim, above 600 a file has two nouns.
const linesMax = 600

func checkSize(r *reporter, p *Package) {
	for _, f := range p.Files {
		if f.Lines > linesMax && !f.Generated {
			r.add(f, f.syntax.Package, "size", "%d lines, at most %d; one noun per file", f.Lines, linesMax)
		}
	}
}
