package timeline

import "time"

const (
	// detailsMax is how many events a page shows one by one: about 3 MB of HTML, and
	// what a browser draws without waiting.
	detailsMax = 20_000
	// timeSlices is into how many slices of time a lane's events are counted.
	timeSlices = 1200
	// textBytesMax bounds what a page says of one event.
	textBytesMax = 300
	// violationsMax is how many violations a page lists: one broken promise may show in
	// every record.
	violationsMax = 50
	// focusSpan is how much time before and after the first violation a page shows when
	// it is opened.
	focusSpan = 1500 * time.Millisecond
)
