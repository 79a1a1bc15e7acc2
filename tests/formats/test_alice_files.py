"""docs/alice_files.md: what stands there runs."""

import pickle
import re
from pathlib import Path

from tests.formats.test_file_formats import images, pair, particles
from tests.formats.test_o2_images import nested
from tests.formats.test_pickles import frame
from tests.formats.zdc_raw import COLUMNS

PAGE = Path(__file__).parents[2] / "docs" / "alice_files.md"


def test_every_command_of_the_page_runs(tmp_path, caloforge, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pair(tmp_path, images(), particles())
    nested(tmp_path / "o2sim.root")
    rows = dict(zip(COLUMNS, particles().T, strict=True))
    for pictures, table in (
        ("data_proton_photonsum_proton_1_2312", "data_cond_photonsum_proton_1_2312"),
        ("proton_images2a", "particles_cond_with_mass2a"),
        ("proton_images2b", "particles_cond_with_mass2b"),
    ):
        (tmp_path / f"{pictures}.pkl").write_bytes(pickle.dumps(images((56, 30))))
        (tmp_path / f"{table}.pkl").write_bytes(frame(rows))
    lines = re.findall(r"^\$ caloforge (.+)$", PAGE.read_text(), re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        code, _, err = caloforge(*line.split(), "-q")
        assert code == 0, (line, err)
        assert (tmp_path / line.split()[-1]).is_file()


def test_the_page_names_the_columns_in_their_order():
    assert " ".join(COLUMNS) in PAGE.read_text()
