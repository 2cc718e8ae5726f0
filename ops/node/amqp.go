package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/tallymq/tallymq/protocols/amqp"
)

// amqpInflightMin is the least that publishes of all AMQP connections may have in flight: what one connection may.
const amqpInflightMin = 32 << 20

// serveAMQP listens for RabbitMQ's clients, if the configuration says so. The engine runs already.
func (n *Node) serveAMQP(fx Effects) error {
	cfg := n.Config
	if !cfg.AMQP() {
		return nil
	}
	l, err := fx.Listen(cfg.AMQPListen)
	if err != nil {
		return fmt.Errorf("amqp-listen: %w", err)
	}
	n.AMQP, err = amqp.NewServer(amqp.Options{Queues: n.Engine, Access: amqp.Guest{Anywhere: cfg.AMQPGuestFrom == "anywhere"}, Version: Version, Logger: n.log.With("part", "amqp"), Limits: amqp.Limits{
		ConnectionsMax: cfg.MaxConnections, NodeBytesMax: max(int64(cfg.InflightBytes), amqpInflightMin)}})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	n.amqpAddr = l.Addr()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := n.AMQP.Serve(l); err != nil && !errors.Is(err, amqp.ErrServerClosed) {
			n.fail(fmt.Errorf("amqp listener: %w", err))
		}
	}()
	n.later(func(ctx context.Context) error {
		err := n.AMQP.Shutdown(ctx)
		<-ended
		return err
	})
	return nil
}
