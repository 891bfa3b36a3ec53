from IPython.display import clear_output, display, update_display

while True:
    display("x" * 100_000, display_id="same")
    update_display("y" * 100_000, display_id="same")
    display({"text/plain": "z", "image/png": "!" * 100_000}, raw=True, metadata={"m": "n" * 100_000})
    clear_output()
