"""The code that the tutorial shows does not depend on the code that it leaves out."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "learn" / "plot_softmax_regression.py"
LEFT_OUT = re.compile(
    r"^# sphinx_gallery_start_ignore$.*?^# sphinx_gallery_end_ignore$\n",
    re.MULTILINE | re.DOTALL,
)

if PAGE.exists():  # the wheel is tested without the pages of the site

    def whole_script():
        """Return the page as Python runs it."""
        return PAGE.read_text(encoding="utf-8")

    def shown_code():
        """Return the page without the code that draws figures."""
        return LEFT_OUT.sub("", whole_script())

    def test_lines_of_code_fit_into_the_page():
        lines = shown_code().split('"""', 2)[2].splitlines()
        too_long = [s for s in lines if len(s) > 79 and not s.startswith("#")]
        assert too_long == []

    def test_each_answer_is_folded():
        folds = re.findall(r"<details>|</details>", shown_code())
        assert folds == ["<details>", "</details>"] * (len(folds) // 2)

    @pytest.mark.slow
    def test_shown_code_prints_the_same_without_the_figures(capsys):
        plt = pytest.importorskip("matplotlib.pyplot")
        plt.switch_backend("Agg")

        def printed(source):
            with plt.rc_context({"figure.max_open_warning": 0}):
                exec(compile(source, str(PAGE), "exec"), {"__name__": "tutorial"})
            plt.close("all")
            lines = capsys.readouterr().out.splitlines()
            return [line for line in lines if " ms, product " not in line]

        assert printed(shown_code()) == printed(whole_script())
