"""Slow, obvious PageRank and components. Imports nothing of nkgraph."""


def pagerank(nodes, edges, damping, rounds, personal=None):
    """Scores by node after so many rounds, and the change of the last."""
    total = sum(personal[u] for u in nodes) if personal else len(nodes)
    aim = {u: (personal[u] if personal else 1) / total for u in nodes}
    degree = dict.fromkeys(nodes, 0)
    for source, _ in edges:
        degree[source] += 1
    score, change = dict(aim), float("inf")
    for _ in range(rounds):
        hung = sum(score[u] for u in nodes if degree[u] == 0)
        after = {u: (1 - damping + damping * hung) * aim[u] for u in nodes}
        for source, target in edges:
            after[target] += damping * score[source] / degree[source]
        change = sum(abs(after[u] - score[u]) for u in nodes)
        score = after
    return score, change


def along(edges, direction):
    """Edges as an algorithm goes along them."""
    turned = [(target, source) for source, target in edges]
    return {"out": edges, "in": turned, "both": edges + turned}[direction]


def reached(start, edges):
    follow = {}
    for source, target in edges:
        follow.setdefault(source, set()).add(target)
    seen, left = {start}, [start]
    while left:
        for target in follow.get(left.pop(), ()):
            if target not in seen:
                seen.add(target)
                left.append(target)
    return seen


def weak(nodes, edges):
    """Smallest node that edges join to each, whichever way they go."""
    both = along(edges, "both")
    return {u: min(reached(u, both)) for u in nodes}


def strong(nodes, edges):
    """Smallest node to which and from which paths lead."""
    back = along(edges, "in")
    return {u: min(reached(u, edges) & reached(u, back)) for u in nodes}
