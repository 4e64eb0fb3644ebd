import pytest
from gpu_device import skip_without_gpu

from tinybert_tf.export.accelerator import check_gpu


def test_verify_runs_the_file_on_the_gpu(invoke, tables, exported):
    with skip_without_gpu():
        check_gpu(exported, texts=["the film was great"])
    result = invoke("verify", exported, tables / "dev.csv", "--gpu")
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())
    assert "fully accelerated, 8 of 8 runs within 0.0001 of the CPU" in shown


@pytest.mark.parametrize("variable", ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"])
def test_verify_says_what_to_install(fails, tables, exported, tmp_path, monkeypatch, variable):
    monkeypatch.delenv("VK_DRIVER_FILES", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "none.json"))
    line = fails("verify", exported, tables / "dev.csv", "--gpu")
    assert "apt-get install" in line
    assert f"{variable}='{tmp_path}/none.json'" in line
