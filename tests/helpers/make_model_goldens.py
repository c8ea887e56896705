"""Make ``model_goldens.json``: what the published code gives for the synthetic voice.

Wants an environment with torch, librosa, onnxruntime, requests, and with speechmos 0.0.1.1 and resemblyzer 0.1.4
installed without their dependencies (``pip install --no-deps``). The voice activity detector that resemblyzer
imports is not needed and is replaced by an empty module.

    python tests/helpers/make_model_goldens.py
"""

import json
import sys
import types
from pathlib import Path

import numpy as np
from model_signals import RATE, talker

PATH = Path(__file__).parent / "model_goldens.json"
FRAMES = [0, 1, 400, 899]
LENGTHS = [8_000, 25_599, 25_600, 30_000, 80_000, 160_000, 163_333]


def reference_dnsmos() -> dict:
    import librosa
    from speechmos import dnsmos

    estimate = talker(110.0, 5.0)
    personalized = dnsmos.run(estimate, RATE, model_type="dnsmos_personalized")
    plain = dnsmos.run(estimate, RATE)
    window = talker(140.0, 9.01)
    mel = librosa.feature.melspectrogram(y=window[:-160], sr=RATE, n_fft=321, hop_length=160, n_mels=120)
    features = (librosa.power_to_db(mel, ref=np.max).T + 40) / 40
    return {
        "p835": {name: float(plain[f"{name}_mos"]) for name in ("sig", "bak", "ovrl")},
        "personalized": {name: float(personalized[f"{name}_mos"]) for name in ("sig", "bak", "ovrl")},
        "p808": {"mos": float(plain["p808_mos"])},
        "p808_features": np.round(features[FRAMES], 7).tolist(),
    }


def reference_dvector() -> dict:
    for name in ("webrtcvad", "scipy.ndimage.morphology"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["scipy.ndimage.morphology"].binary_dilation = None
    from resemblyzer import VoiceEncoder
    from resemblyzer.audio import normalize_volume, wav_to_mel_spectrogram

    encoder = VoiceEncoder("cpu", verbose=False)
    loud, soft = talker(110.0, 5.0), 0.001 * talker(210.0, 1.0)
    return {
        "loud": encoder.embed_utterance(loud).astype(float).tolist(),
        "soft": encoder.embed_utterance(normalize_volume(soft, -30, increase_only=True)).astype(float).tolist(),
        "mel": wav_to_mel_spectrogram(loud)[[0, 1, 300, 500]].astype(float).tolist(),
        "starts": {
            str(length): [int(part.start) for part in encoder.compute_partial_slices(length, 1.3, 0.75)[1]]
            for length in LENGTHS
        },
    }


def make() -> dict:
    return {"dnsmos": reference_dnsmos(), "dvector": reference_dvector()}


if __name__ == "__main__":
    PATH.write_text(json.dumps(make()) + "\n", encoding="utf-8")
