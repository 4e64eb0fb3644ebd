"""`tinybert-tf finetune` and the run folder it leaves."""

import json


def test_run_folder_holds_config_log_metrics_events_and_model(teacher_run):
    config = json.loads((teacher_run / "config.json").read_text())
    metrics = json.loads((teacher_run / "metrics.json").read_text())
    assert config["command"] == "finetune"
    assert config["arguments"]["epochs"] == 4
    assert config["seed"] == 0
    assert config["versions"]["keras"]
    assert metrics["dev"]["accuracy"] > 0.9
    assert len(metrics["history"]["val_accuracy"]) == 4
    log = (teacher_run / "log.txt").read_text().splitlines()
    assert log[0].endswith("started")
    assert log[-1].endswith("finished")
    assert sum("finetune: epoch" in line for line in log) == 4
    assert list((teacher_run / "tb").rglob("events.out.tfevents.*"))
    assert (teacher_run / "model" / "task.json").is_file()
    assert not (teacher_run / "checkpoints").exists()
