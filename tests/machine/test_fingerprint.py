import pytest
import torch

from bench.core.allocator import Allocator
from bench.machine.fingerprint import HUGE_PAGES, fingerprint, huge_pages, machine, settings
from bench.machine.kernel import Kernel
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
            "TRITON_CACHE_DIR": "/var/y",
            "TORCHINDUCTOR_FREEZING": "1",
            "TORCH_HOME": "/home/someone/torch",
        }
    )
    assert found == (
        "CUDA_LAUNCH_BLOCKING=1 LD_PRELOAD=libjemalloc.so libomp.so MALLOC_MMAP_MAX_=0 "
        "TORCHINDUCTOR_FREEZING=1"
    )


@pytest.mark.parametrize(
    "name",
    [
        *("MALLOC_CONF", "PYTHONMALLOC", "MIMALLOC_LARGE_OS_PAGES", "THP_MEM_ALLOC_ENABLE"),
        *("KMP_BLOCKTIME", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE"),
        *("TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE", "PYTORCH_CUDA_ALLOC_CONF"),
        *("CUBLAS_WORKSPACE_CONFIG", "CUDNN_LOGINFO_DBG", "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"),
    ],
)
def test_a_variable_that_changes_seconds_or_memory_is_a_setting(name):
    """Of allocators, libraries that compute, torch's compilers and CUDA."""
    assert settings({name: "x"}) == f"{name}=x"


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("always [madvise] never", "madvise"),
        ("[always] madvise never", "always"),
        (None, ""),
    ],
)
def test_huge_pages_that_everything_gets_make_another_fingerprint(text, who, tmp_path):
    """Where only those get them who ask, all is as on a system without them and in older runs."""
    if text is not None:
        path = tmp_path / HUGE_PAGES
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert huge_pages(Kernel(tmp_path)) == who
    facts = machine()
    older = {k: v for k, v in facts.items() if k != "huge_pages"}
    found, usual = (fingerprint(each, SOFTWARE, 2) for each in (facts | {"huge_pages": who}, older))
    assert (found == usual) is (who != "always")


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


def test_times_of_workers_that_keep_freed_memory_are_not_compared_with_others():
    """Runs from before there was a choice had the system's allocator, whose fingerprint stays."""
    hardware = machine()
    before = fingerprint(hardware, SOFTWARE, 2)
    assert fingerprint(hardware, SOFTWARE, 2, Allocator.SYSTEM) == before
    assert fingerprint(hardware, SOFTWARE, 2, Allocator.STEADY)["id"] != before["id"]
