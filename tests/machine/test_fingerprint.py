import torch

from bench.machine.fingerprint import fingerprint, machine, settings
from bench.worker.probe import software

SOFTWARE = dict.fromkeys(("python", "torch", "transformers", "cpu_capability", "cuda"), "") | {
    "gpus": []
}


def test_settings_are_the_variables_that_move_results_without_paths():
    """A path tells of the machine's owner, and its last part says enough."""
    found = settings(
        {
            "MALLOC_MMAP_MAX_": "0",
            "LD_PRELOAD": "/home/someone/lib/libjemalloc.so:/opt/libomp.so",
            "CUDA_LAUNCH_BLOCKING": "1",
            "HOME": "/home/someone",
            "OMP_NUM_THREADS": "2",
            "TORCHINDUCTOR_CACHE_DIR": "/var/x",
        }
    )
    assert found == (
        "CUDA_LAUNCH_BLOCKING=1 LD_PRELOAD=libjemalloc.so libomp.so MALLOC_MMAP_MAX_=0"
    )


def test_another_allocator_makes_another_fingerprint_and_none_the_same_as_ever(monkeypatch):
    """Seconds of the two are not compared; runs from before settings were recorded still are."""
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "0")
    facts = machine()
    assert facts["settings"] == "MALLOC_MMAP_MAX_=0"
    kept, usual, old = (
        fingerprint(each, SOFTWARE, 2)
        for each in (
            facts,
            facts | {"settings": ""},
            {k: v for k, v in facts.items() if k != "settings"},
        )
    )
    assert kept["settings"] == "MALLOC_MMAP_MAX_=0"
    assert kept["id"] != usual["id"]
    assert usual == old


def test_a_driver_too_old_for_torch_leaves_no_gpus_and_no_traceback(monkeypatch):
    """Torch counts devices by NVML before it finds that it cannot initialise them."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert software()["gpus"] == []
