package netns_test

import (
	"context"
	"errors"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

func TestSend(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx, done := netns.Keep(context.Background())
		defer done()
		add := func(name, kind string) error {
			info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
			info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
			_, err := netns.Send(ctx, "", unix.RTM_NEWLINK, netns.Create, nl.NewIfInfomsg(unix.AF_UNSPEC),
				nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)), info)
			return err
		}
		if err := add("lab", "bridge"); err != nil {
			t.Fatal(err)
		}
		if err := add("lab", "bridge"); !errors.Is(err, unix.EEXIST) {
			t.Errorf("over another: %v", err)
		}
		if err := add("lap", "nothing"); !errors.Is(err, unix.EOPNOTSUPP) || err.Error() == unix.EOPNOTSUPP.Error() {
			t.Errorf("of no kind: %v; want the kernel's words too", err)
		}
		if _, err := netns.Index(ctx, "", "lap"); !netns.Gone(err) {
			t.Errorf("%v", err)
		}
		if index, err := netns.Index(ctx, "", "lab"); err != nil || index == 0 {
			t.Errorf("after errors: %d %v", index, err)
		}
		links, err := netns.Send(ctx, "", unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC))
		if err != nil || len(links) != 2 {
			t.Errorf("%d links, %v; want lo and lab", len(links), err)
		}
	})
}
