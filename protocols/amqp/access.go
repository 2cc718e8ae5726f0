package amqp

import (
	"context"
	"crypto/subtle"
	"errors"
	"net"

	"github.com/tallymq/tallymq/protocols/amqp/connection"
)

// Permission is what is done to an exchange or a queue, as RabbitMQ divides it.
type Permission uint8

// The permissions.
const (
	Configure Permission = iota // declare, delete
	Write                       // publish, bind to
	Read                        // consume, get, purge, bind from
)

var permissionNames = [...]string{"configure", "write", "read"}

func (p Permission) String() string { return permissionNames[p] }

// Access says who clients are and what they may do. Its methods may be called concurrently.
type Access interface {
	// Login judges credentials of a client at an address (host:port) and returns the user's name. An error is told to the log, never to
	// the client.
	Login(ctx context.Context, c connection.Credentials, address string) (user string, err error)
	// Renew judges a user's new secret (connection.update-secret). Where secrets do not expire there is nothing to renew.
	Renew(ctx context.Context, user string, secret []byte, address string) error
	// Allow says whether a user may do something to an exchange or queue.
	Allow(user, host string, p Permission, resource string) bool
}

// Guest is the access of a server without users: guest, with RabbitMQ's default password.
type Guest struct {
	Anywhere bool // guest comes from other machines, too (RabbitMQ: loopback_users.guest = false)
}

const guest = "guest"

// Login admits guest, from a loopback address or anywhere.
func (g Guest) Login(_ context.Context, c connection.Credentials, address string) (string, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	switch ip := net.ParseIP(host); {
	case c.User != guest || subtle.ConstantTimeCompare(c.Secret, []byte(guest)) != 1:
		return "", errors.New("no such user, or another password")
	case !g.Anywhere && (ip == nil || !ip.IsLoopback()):
		return "", errors.New("guest comes from this machine only")
	}
	return guest, nil
}

// Renew has nothing to renew: guest's password does not expire, and stays what it is. RabbitMQ's own users are the same.
func (Guest) Renew(context.Context, string, []byte, string) error { return nil }

// Allow allows everything.
func (Guest) Allow(string, string, Permission, string) bool { return true }
