"""FB15k-237 from text to plot: python examples/story_fb15k.py [FOLDER [PICTURE]]."""

import sys
from pathlib import Path

import numpy as np

import nkgraph as nk

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/data/fb15k-237")
picture = sys.argv[2] if len(sys.argv) > 2 else "degrees.png"

# Import: 310,116 triples; heads and tails are nodes, relations are connection types.
graph = nk.import_triples([folder / f"{part}.tsv.gz" for part in ("train", "valid", "test")])
print(f"{graph.node_count:,} nodes, {graph.edge_count:,} edges")

# A typed query: along edges of one type only, and against them.
genre, drama = "/film/film/genre", graph.find("Entity", ["/m/07s9rl0"])
films = graph.neighbors(drama, genre, direction="in")
print(f"{films.size:,} of {graph.sources(genre).size:,} films are dramas")

# Peers: who is pointed at by a type, and how often.
genres, counts = graph.peer_counts(genre)
top = np.argsort(counts)[::-1][:3]
print("most films:", dict(zip(graph.ids(genres[top]).tolist(), counts[top].tolist(), strict=True)))

# PageRank and degrees become properties; a condition reads some of them; pandas gets a frame.
rank, links = nk.pagerank(graph), graph.degrees(direction="both")
graph.update_nodes(graph.nodes(), {"rank": rank, "links": links})
table = graph.read_nodes("Entity", ["id", "rank", "links"], where=[("rank", ">", 0.005)])
print(table.to_pandas().sort_values("rank", ascending=False).to_string(index=False))

# Plot: how many nodes have how many edges.
axes = nk.plots.degree_distribution(graph, direction="in")
axes.figure.savefig(picture)
