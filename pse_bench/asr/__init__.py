"""Speech recognisers behind one small interface.

``load`` makes one from a word on the command line: pocketsphinx with a language model of the dataset's own
sentences, a faster-whisper model of the user's, or a CSV of hypotheses from any other recogniser.
``cache.remembered`` keeps transcripts on disk.
"""

from pse_bench.asr.cache import remembered
from pse_bench.asr.loading import SPECS, load
from pse_bench.asr.recogniser import Recogniser

__all__ = ["SPECS", "Recogniser", "load", "remembered"]
