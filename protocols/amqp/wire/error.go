package wire

import (
	"fmt"
	"unicode/utf8"
)

// ReplyCode is why a channel or connection ends, or a message returns.
type ReplyCode uint16

// String is the code's name as RabbitMQ writes it, for example PRECONDITION_FAILED.
func (c ReplyCode) String() string {
	if name := c.name(); name != "" {
		return name
	}
	return fmt.Sprintf("REPLY_%d", uint16(c))
}

// Error is what the protocol says about an input that it does not allow: the fields of channel.close or connection.close.
type Error struct {
	Code   ReplyCode
	Method MethodID // the method that is at fault, or 0
	Text   string   // why, without the code's name
}

// Errorf makes an Error; the format says why.
func Errorf(code ReplyCode, method MethodID, format string, args ...any) *Error {
	return &Error{Code: code, Method: method, Text: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	if e.Method == 0 {
		return fmt.Sprintf("%d %v: %s", uint16(e.Code), e.Code, e.Text)
	}
	return fmt.Sprintf("%d %v: %s (%v)", uint16(e.Code), e.Code, e.Text, e.Method)
}

// ReplyText is the text that goes with the code on the wire, "NOT_FOUND - no queue 'x'", cut to what a short string
// holds without breaking a character.
func (e *Error) ReplyText() string { return ShortText(e.Code.String() + " - " + e.Text) }

// ShortText cuts a text to ShortStringBytesMax, and not within a character.
func ShortText(s string) string {
	if len(s) <= ShortStringBytesMax {
		return s
	}
	end := ShortStringBytesMax
	for end > ShortStringBytesMax-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
