"""Recognisers: what writes down the words in a sound, behind one small interface.

``load`` makes one from a word on the command line: pocketsphinx with a language model of the dataset's own
sentences, a faster-whisper model of the user's, or a CSV of hypotheses from any other recogniser.
``transcripts.remembered`` keeps what a recogniser has heard.
"""

from pse_bench.asr.cache import remembered
from pse_bench.asr.loading import SPECS, load
from pse_bench.asr.recogniser import Recogniser

__all__ = ["SPECS", "Recogniser", "load", "remembered"]
