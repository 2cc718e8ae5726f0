package routing

// fanoutMatcher has all destinations.
type fanoutMatcher struct {
	to counted
}

func (x *fanoutMatcher) add(b *Binding)            { x.to.add(b.Destination) }
func (x *fanoutMatcher) remove(b *Binding)         { x.to.remove(b.Destination) }
func (x *fanoutMatcher) match(_ *Message, w *Walk) { x.to.all(w) }
