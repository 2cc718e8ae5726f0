package local

import (
	"math/rand/v2"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// RabbitURLs are the AMQP addresses of all nodes.
func (c *Cluster) RabbitURLs() (urls []string) {
	for _, p := range c.Nodes {
		urls = append(urls, "amqp://guest:guest@"+p.AMQP+"/")
	}
	return urls
}

// DialRabbit connects to one of some nodes, with a channel.
func DialRabbit(urls []string, r *rand.Rand) (*amqp.Connection, *amqp.Channel, error) {
	c, err := amqp.DialConfig(urls[r.IntN(len(urls))], amqp.Config{Heartbeat: 5 * time.Second, Locale: "en_US", Dial: amqp.DefaultDial(3 * time.Second)})
	if err != nil {
		return nil, nil, err
	}
	ch, err := c.Channel()
	if err != nil {
		_ = c.Close()
		return nil, nil, err
	}
	return c, ch, nil
}

// Insist repeats f until it succeeds or patience is at its end, and gives its last error.
func Insist(patience time.Duration, f func() error) error {
	for end := time.Now().Add(patience); ; time.Sleep(300 * time.Millisecond) {
		if err := f(); err == nil || time.Now().After(end) {
			return err
		}
	}
}
