#include "archive/catalog.h"
#include "archive/local_index_format.h"
#include "round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::archive;
  // Seeds name a type by its place here: new ones go to the end.
  holdfast::fuzz::round_trip_one_of<PackHeader, KeySegment, IndexSegment, Content, Extent, Entry,
                                    Snapshot, JournalPack, ChunkInfo, FrameInfo, PackKeyEntry,
                                    PackIndex, Xattr, FileTime, PackEnvelope, GuidePoint,
                                    local_index::Start, local_index::Head>(data, size);
  return 0;
}
