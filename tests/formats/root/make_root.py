"""Files with the branch ZDCResponseImage by ROOT itself, as they lie beside it.

    python make_root.py FOLDER

Made on 28 November 2026 with ROOT 6.40.00 (PyPI ``root`` 0.1a12) at the split levels 99 (ROOT's
default, which O2 leaves), 1 and 0. O2 itself did not run. Members of SpatialPhotonResponse, their
types and their order are those of AliceO2 6edbebf (ZDCSimulation/SpatialPhotonResponse.h), read
there, not remembered; it has no ClassDef either. test_o2_root.py knows what was written.
"""

import sys
import tempfile
from pathlib import Path

CLASSES = """
#include <utility>
#include <vector>
#include "TFile.h"
#include "TParticle.h"
#include "TTree.h"

namespace o2 { namespace zdc {
struct SpatialPhotonResponse {
  double mLxOfCell = 1., mLyOfCell = 1., mInvLxOfCell = 1., mInvLyOfCell = 1.;
  double mLowerX = 0., mLowerY = 0.;
  int mNx = 1, mNy = 1, mPhotonSum = 0, mDetectorID = -1;
  float mTime = -1.;
  std::vector<std::vector<int>> mImageData;
};
}}

using Image = o2::zdc::SpatialPhotonResponse;
using Responses = std::vector<std::pair<TParticle, std::pair<Image, Image>>>;

TParticle particle(int kind) {
  const int pdg[4] = {2212, 2112, 1000020040, 22};
  const double mass[4] = {0.938272, 0.939565, 3.727379, 0.};
  double px = 0.1 * (kind + 1), py = -0.2, pz = 1000. + 100. * kind, m = mass[kind];
  TParticle made(pdg[kind], 1, -1, -1, -1, -1, px, py, pz, 0., 0.001 * kind, 0.002, -0.003, 0.);
  made.SetMomentum(px, py, pz, std::sqrt(px * px + py * py + pz * pz + m * m));
  made.SetCalcMass(m);
  return made;
}

Image image(int nx, int ny, int row) {
  Image made;
  made.mNx = nx;
  made.mNy = ny;
  made.mImageData.assign(nx, std::vector<int>(ny, 0));
  for (int x = 0; x < nx; ++x)
    for (int y = 0; y < ny; ++y)
      if ((5 * x + 3 * y + row) % 23 == 0)
        made.mPhotonSum += made.mImageData[x][y] = 1 + x + 100 * y + row;
  return made;
}

void make(const char* name, int split) {
  TFile file(name, "RECREATE");
  TTree tree("o2sim", "o2sim");
  Responses responses, *address = &responses;
  tree.Branch("ZDCResponseImage", &address, 32000, split);
  const int particles[3] = {2, 0, 3}, kinds[5] = {0, 1, 2, 0, 3};
  for (int event = 0, row = 0; event < 3; ++event) {
    responses.clear();
    for (int i = 0; i < particles[event]; ++i, ++row)
      responses.push_back({particle(kinds[row]), {image(44, 44, row), image(56, 30, row)}});
    tree.Fill();
  }
  tree.Write();
}
"""

LINKS = """
#ifdef __CLING__
#pragma link C++ struct o2::zdc::SpatialPhotonResponse+;
#pragma link C++ class std::pair<o2::zdc::SpatialPhotonResponse,o2::zdc::SpatialPhotonResponse>+;
#pragma link C++ class std::pair<TParticle,std::pair<o2::zdc::SpatialPhotonResponse,\
o2::zdc::SpatialPhotonResponse>>+;
#pragma link C++ class std::vector<std::pair<TParticle,std::pair<o2::zdc::SpatialPhotonResponse,\
o2::zdc::SpatialPhotonResponse>>>+;
#endif
"""


def main(folder):
    """A file for each split level."""
    import ROOT

    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary, "all.C")
        source.write_text(CLASSES + LINKS, encoding="utf-8")
        if not ROOT.gSystem.CompileMacro(str(source), "kgO"):
            sys.exit("ROOT could not compile the classes")
        for split in (99, 1, 0):
            ROOT.make(str(folder / f"o2sim-split{split}.root"), split)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
