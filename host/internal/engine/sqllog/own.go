package sqllog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrInUse is a SQLite file that another Log has open.
var ErrInUse = errors.New("the engine's database is in use by another process")

// own keeps every other Log off the SQLite file in dir until the file that it returns is
// closed, at the latest until this process ends in whatever way.
func own(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, FileName+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s: %w", filepath.Join(dir, FileName), ErrInUse)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
