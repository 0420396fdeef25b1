from gptgrid.stage import main
