package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
)

const (
	lockTimeoutFlag = "lock-timeout"
	lockVariable    = "CNET_LOCK_TIMEOUT"
	lockTimeout     = 10 * time.Second
)

// lockFlag is the flag of every command that takes the lock. The variable
// stands in for it where it is not given.
func (a *app) lockFlag(c *cobra.Command) {
	c.Flags().DurationVar(&a.wait, lockTimeoutFlag, lockTimeout, "how long to wait for another cnet; 0 is not at all (or $"+lockVariable+")")
	inner := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) (err error) {
		said := "--" + lockTimeoutFlag + " " + a.wait.String()
		if text := os.Getenv(lockVariable); text != "" && !c.Flags().Changed(lockTimeoutFlag) {
			said = lockVariable + "=" + text
			a.wait, err = time.ParseDuration(text)
		}
		if err != nil || a.wait < 0 {
			return fail.New(fail.Usage, said, "it is not a length of time").Try("30s, 2m, or 0 to wait not at all")
		}
		if inner != nil {
			return inner(c, args)
		}
		return nil
	}
}
