// Checks with Go's own transparency log code what tlog_site wrote. Independent of this project:
// reading notes and the log's key, Ed25519, the tree and every tile made from the entries, its proofs
// and its verification of ours. Written here again: witnesses' keys and the message they sign, the
// mapping of tile paths (Go's have the height in them), and bundles of entries.
//
//	check_tlog FOLDER
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io/ioutil"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var folder string

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "check_tlog: %s: %v\n", what, err)
		os.Exit(1)
	}
}

func require(good bool, what string) {
	if !good {
		check(fmt.Errorf("not so"), what)
	}
}

func read(name string) []byte {
	bytes, err := ioutil.ReadFile(filepath.Join(folder, name))
	check(err, name)
	return bytes
}

// A witness as a note.Verifier: C2SP tlog-cosignature, which x/mod does not have.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.hash }
func (w witness) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return ed25519.Verify(w.key, []byte(message), sig[8:])
}

func parseWitness(vkey string) witness {
	parts := strings.SplitN(vkey, "+", 3)
	require(len(parts) == 3, "witness key")
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	check(err, "witness key's id")
	key, err := base64.StdEncoding.DecodeString(parts[2])
	check(err, "witness key")
	require(len(key) == 33 && key[0] == 4, "witness key's type")
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	require(binary.BigEndian.Uint32(sum[:]) == uint32(hash), "witness key's id")
	return witness{parts[0], uint32(hash), ed25519.PublicKey(key[1:])}
}

// Opens a checkpoint; count is how many signatures must have verified, the log's among them.
func open(name string, verifiers note.Verifiers, count int) tlog.Tree {
	opened, err := note.Open(read(name), verifiers)
	check(err, name)
	require(len(opened.Sigs) == count && len(opened.UnverifiedSigs) == 0, name+": signatures")
	lines := strings.Split(opened.Text, "\n")
	require(len(lines) == 4 && lines[0] == opened.Sigs[0].Name && lines[3] == "", name+": text")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, name+": size")
	hash, err := tlog.ParseHash(lines[2])
	check(err, name+": root")
	return tlog.Tree{N: size, Hash: hash}
}

// Reads tiles by the paths of tlog-tiles: x/mod's, without the height.
type tiles struct{}

func (tiles) Height() int { return 8 }
func (tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range wanted {
		out = append(out, read(strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
	}
	return out, nil
}
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func proof(name string) []tlog.Hash {
	var out []tlog.Hash
	for _, line := range strings.Fields(string(read(name))) {
		hash, err := tlog.ParseHash(line)
		check(err, name)
		out = append(out, hash)
	}
	return out
}

// All entries of a tree, from its bundles.
func entries(size int64) [][]byte {
	var out [][]byte
	for index := int64(0); index*256 < size; index++ {
		tile := tlog.Tile{H: 8, L: -1, N: index, W: 256}
		if size-index*256 < 256 {
			tile.W = int(size - index*256)
		}
		bundle := read(strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1))
		for len(bundle) > 0 {
			length := int(bundle[0])<<8 | int(bundle[1])
			out = append(out, bundle[2:2+length])
			bundle = bundle[2+length:]
		}
	}
	return out
}

// Go's tree of the entries, and that each tile on disk is the one it makes.
func checkTiles(all [][]byte) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, index := range indexes {
			out = append(out, stored[index])
		}
		return out, nil
	})
	for i, entry := range all {
		hashes, err := tlog.StoredHashes(int64(i), entry, reader)
		check(err, "hashes of an entry")
		stored = append(stored, hashes...)
	}
	for _, tile := range tlog.NewTiles(8, 0, int64(len(all))) {
		// Some versions name each width on the way to that of the tree.
		if tile.W < 256 && int64(tile.W) != int64(len(all))>>(8*uint(tile.L))-tile.N*256 {
			continue
		}
		data, err := tlog.ReadTileData(tile, reader)
		check(err, tile.Path())
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		require(bytes.Equal(data, read(path)), path+" is Go's")
	}
}

func equal(a, b []tlog.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func main() {
	require(len(os.Args) == 2, "usage: check_tlog FOLDER")
	folder = os.Args[1]
	keys := strings.Fields(string(read("keys")))
	logKey, err := note.NewVerifier(keys[0])
	check(err, "log's key")
	verifiers := []note.Verifier{logKey}
	for _, key := range keys[1:] {
		verifiers = append(verifiers, parseWitness(key))
	}
	list := note.VerifierList(verifiers...)
	old := open("checkpoint.old", list, 2)
	tree := open("checkpoint", list, 3)

	all := entries(tree.N)
	require(int64(len(all)) == tree.N, "number of entries")
	checkTiles(all)
	// Reads the tiles and checks them against the root, in x/mod 0.7 not all of them.
	hashes := tlog.TileHashReader(tree, tiles{})
	root, err := tlog.TreeHash(tree.N, hashes)
	check(err, "root")
	require(root == tree.Hash, "root from tiles")
	oldRoot, err := tlog.TreeHash(old.N, tlog.TileHashReader(old, tiles{}))
	check(err, "old root")
	require(oldRoot == old.Hash, "old root from tiles")

	ours := proof("consistency")
	theirs, err := tlog.ProveTree(tree.N, old.N, hashes)
	check(err, "proof of consistency")
	require(equal(ours, theirs), "proofs of consistency are alike")
	check(tlog.CheckTree(tlog.TreeProof(ours), tree.N, tree.Hash, old.N, old.Hash), "consistency")

	names, err := filepath.Glob(filepath.Join(folder, "inclusion", "*"))
	check(err, "inclusion")
	require(len(names) > 0, "proofs of inclusion")
	for _, name := range names {
		index, err := strconv.ParseInt(filepath.Base(name), 10, 64)
		check(err, name)
		ours := proof(filepath.Join("inclusion", filepath.Base(name)))
		theirs, err := tlog.ProveRecord(tree.N, index, hashes)
		check(err, name)
		require(equal(ours, theirs), name+": proofs are alike")
		check(tlog.CheckRecord(tlog.RecordProof(ours), tree.N, tree.Hash, index,
			tlog.RecordHash(all[index])), name)
	}
	fmt.Printf("%d entries, %d proofs of inclusion, 5 signatures\n", tree.N, len(names))
}
