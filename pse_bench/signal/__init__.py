"""Signal processing on arrays: activity, filters, reverberation time, mel spectra."""
