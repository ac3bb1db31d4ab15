package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/inside"
)

func newShellCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "shell NAME",
		Short: "Open a shell inside a container",
		Long: `Open $SHELL, or /bin/sh, inside a container's network namespace, as cnet exec
does. The prompt names the container where the shell takes it from PS1, or as
Debian's bash does from debian_chroot.`,
		Example: "  cnet shell web",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := args[0]
			prompt := []string{"PS1=(" + name + ") $ ", "debian_chroot=" + name}
			if err := a.enter(c.Context(), name, prompt, ""); err != nil {
				return err
			}
			return replace([]string{userShell()})
		},
	}
}

// userShell is the user's own shell, if it is there.
func userShell() string {
	shell := os.Getenv("SHELL")
	if _, err := inside.Find(shell); err != nil {
		return "/bin/sh"
	}
	return shell
}
