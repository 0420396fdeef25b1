"""The tales in Chinese."""

from gptgrid.corpus.tales.choices import zipf
from gptgrid.corpus.tales.english import plain, table
from gptgrid.corpus.tales.story import Language
from gptgrid.corpus.tales.world import Entity, Table


def person(name: str, girl: bool) -> dict[str, str]:
    """Return the forms of a child: `小美`, `一个叫小美的女孩`, a pronoun."""
    return {
        "": name,
        "a": f"一个叫{name}的{'女孩' if girl else '男孩'}",
        "he": "她" if girl else "他",
    }


def things(colours: str, nouns: str) -> Table:
    """Return every noun in every colour, with its measure word: `那只红风筝`, `一只红风筝`."""
    colour_list, noun_list = colours.split(), nouns.split()
    forms = [
        {"": f"那{noun[0]}{colour}{noun[1:]}", "a": f"一{noun[0]}{colour}{noun[1:]}"}
        for colour in colour_list
        for noun in noun_list
    ]
    weights = [x * y for x in zipf(len(colour_list)) for y in zipf(len(noun_list))]
    return Table(tuple(Entity("thing", each) for each in forms), tuple(weights))


def place(words: str) -> dict[str, str]:
    """Return `池塘边`, `在池塘边`, `池塘` from `池塘边`; `公园`, `在公园里`, `公园` from `公园 里`."""
    name, _, inside = words.partition(" ")
    return {"": name, "at": f"在{name}{inside}", "near": name.removesuffix("边")}


NAMES = "小美 小刚 小兰 小明 小芳 小军 小雪 小虎 小云 小龙 小玉 小亮 小燕 小强 小梅 小宝"
PLACES = "谷仓 里,池塘边,公园 里,磨坊 里,小桥 上,集市 上,海滩 上,花园 里,水井边,山坡 上"
CHINESE = Language(
    tables={
        "person": table("person", *(person(name, at % 2 == 0) for at, name in enumerate(NAMES.split()))),
        "thing": things(
            "红 蓝 绿 白 黄 黑", "个皮球 只风筝 顶帽子 本书 只小船 个杯子 面鼓 个铃铛 把钥匙 盏灯"
        ),
        "place": table(
            "place",
            *map(
                place,
                PLACES.split(","),
            ),
        ),
        "spot": plain(
            "spot", "床底下, 门后面, 柜子里, 架子上, 桌子底下, 窗帘后面, 篮子里, 炉子旁边, 楼梯底下, 浴缸里"
        ),
        "weather": table(
            "weather",
            {"": "下着雨", "day": "下雨天", "gone": "雨停了", "still": "雨还在下"},
            {"": "阳光明媚", "day": "大晴天", "gone": "太阳下山了", "still": "太阳还在照"},
            {"": "刮着风", "day": "刮风天", "gone": "风停了", "still": "风还在刮"},
            {"": "下着雪", "day": "下雪天", "gone": "雪停了", "still": "雪还在下"},
        ),
        "mood": plain("mood", "难过, 生气, 担心, 烦躁, 伤心, 苦恼"),
        "cause": plain(
            "cause",
            "家里太安静了, 很久没有人唱歌, 小猫跑了, 牙很疼, 蛋糕烤焦了, 屋顶坏了, 花都干了, 牛奶酸了",
        ),
        "number": table(
            "number",
            *({"": count, "of": "两" if count == "二" else count} for count in "三二五四七六九八十"),
        ),
        "animals": plain("animals", "小鸟, 鸭子, 蜗牛, 青蛙, 山羊, 绵羊"),
        "song": plain("song", "月亮, 大熊, 大海, 火车, 国王"),
        "food": plain("food", "一个苹果, 一块面包, 一个梨, 一块奶酪, 一块饼干, 一把花生"),
        "stranger": plain("stranger", "一位农夫, 一位水手, 一位护士, 一位面包师, 一位画家"),
        "tree": plain("tree", "橡树, 苹果树, 松树, 樱桃树"),
        "shape": plain("shape", "一条鱼, 一匹马, 一只鞋, 一头鲸鱼, 一只手"),
    },
    wordings={
        "begin": (
            "从前，有{a.a}，家在{home.near}附近。",
            "在{home.near}附近住着{a.a}。",
            "这是{a.a}的故事，{a.he}家在{home.near}附近。",
        ),
        "sky": ("那是一个{weather.day}。", "一天早上，外面{weather}，{a}很早就醒了。"),
        "friend": ("{a}有个好朋友，是{b.a}。", "{a.he}最好的朋友是{b.a}。"),
        "feel": ("这一天{a}很{mood}，因为{cause}。", "{a}心里很{mood}，因为{cause}。"),
        "friend feels": (
            "{b}很{other_mood}，因为{other_cause}。",
            "而{b}感到很{other_mood}，因为{other_cause}。",
        ),
        # ------------------------------------------------------------------------------ small events
        "count": ("{a}数了数，一共有{number.of}只{animals}。", "在草地上，{a}看见了{number.of}只{animals}。"),
        "stranger": ("{a}遇见了{stranger}，问了一声好。", "过了一会儿，{a}向{stranger}问了好。"),
        "rest": ("{a}在一棵{tree}下休息。", "有一棵{tree}，{a}在树下坐了一会儿。"),
        "cloud": ("{a}觉得有一朵云像{shape}。", "天上有一朵云，{a}说它像{shape}。"),
        "sing": ("{a}唱了一首关于{song}的歌。", "{a}轻轻地唱起歌来，歌里唱的是{song}。"),
        "eat": ("{a}饿了，吃了{food}。", "不久，{a}吃了{food}。"),
        "bell": ("远处的钟敲了{times.of}下。", "塔楼上的钟响了{times.of}下。"),
        "weather": ("{weather.still}。", "这时候，{weather.still}。"),
        "mood": ("{a}还是很{mood}。", "可是{a}心里还是{mood}。"),
        # ---------------------------------------------------------------------------- lost and found
        "lose": ("走到哪里，{a}都带着{thing.a}。", "{a}最喜欢的东西是{thing.a}。"),
        "go 0": ("{a}先去了{place0}。", "{a}带着{thing}去了{place0}。"),
        "go 1": ("然后{a}去了{place1}。", "从那里，{a}又去了{place1}。"),
        "go 2": ("接着{a}走到了{place2}。", "后来{a}跑到了{place2}。"),
        "go 3": ("最后{a}去了{place3}。", "天快黑的时候，{a}去了{place3}。"),
        "keep": ("在那里，{a}紧紧抱着{thing}，四处看了看。", "{a}在那里玩了玩{thing}，又把它带走了。"),
        "leave": ("在那里，{a}放下{thing}，系了系鞋带。", "{a}在那里把{thing}放在一边，去看一只蝴蝶。"),
        "look": ("{a}在那里玩了一会儿。", "那里没有什么新鲜的。"),
        "missed": ("回到家，{a}喊道：“{thing}到哪里去了？”", "{a}回到家，发现{thing}不见了。"),
        "search": ("“我来帮你。”隔壁的孩子说，那是{c.a}。", "隔壁住着{c.a}，也来帮忙。"),
        "found": ("{a}和{c}到处找，发现{thing}{left.at}。", "他们一起走回去，{thing}还{left.at}。"),
        # -------------------------------------------------------------------------------------- swap
        "swap": ("{a}有{mine.a}，天天都玩。", "过生日的时候，{a}得到了{mine.a}。"),
        "friend has": ("{b}有{yours.a}。", "而{b}呢，有{yours.a}。"),
        "meet": ("两个朋友{where.at}见了面。", "一天，他们都去了{where}。"),
        "exchange": (
            "“我们换一换吧。”{a}说。于是{a}把{mine}给了{b}，得到了{yours}。",
            "{b}说：“我们换一换吧。”于是{a}得到了{yours}，{b}得到了{mine}。",
        ),
        "comes": ("这时来了{c.a}，什么玩具也没有。", "后来，他们看见了{c.a}，手里什么也没有。"),
        "gives": ("{giver}心很好，想送一样东西。", "“这个送给你。”{giver}说。"),
        "given": ("于是{c}得到了{given}。", "现在，{given}是{c}的了。"),
        # ----------------------------------------------------------------------------- hide and seek
        "hide": ("有一天来了{c.a}，三个人在家里一起玩捉迷藏。", "他们在家里玩捉迷藏，一起玩的还有{c.a}。"),
        "counts": ("{a}闭上眼睛，数到{count}。", "轮到{a}来找，要先数到{count}。"),
        "hides b": ("{b}藏在{spot_b}。", "{b}很快藏在了{spot_b}。"),
        "hides c": ("{c}藏在{spot_c}。", "{c}悄悄藏在了{spot_c}。"),
        "empty": ("{a}看了看{empty}，没有人。", "找到{empty}，一个人也没有。"),
        "finds first": ("{a}先找到的是{first}。", "不久，{a}听见有人笑，原来是{first}。"),
        "there first": ("{first}就在{first_spot}。", "原来，{first}一直在{first_spot}。"),
        "finds second": (
            "最后，{a}看了看{second_spot}，也找到了{second}。",
            "{second}还在{second_spot}，最后才被找到。",
        ),
        # ------------------------------------------------------------------------------------ wishes
        "wish": ("家里来了{c.a}，大家说起了各自的愿望。", "他们和{c.a}一起，说了说自己想要什么。"),
        "wish b": ("“我想要{x.a}。”{b}说。", "{b}想要{x.a}。"),
        "wish c": ("“我想有{y.a}。”{c}说。", "{c}做梦都想有{y.a}。"),
        "shop": (
            "第二天，{a}去了{shop.near}附近的商店。",
            "几天以后，{a}找到了一家商店，就在{shop.near}附近。",
        ),
        "sees": ("在店里，{a}看见了{z.a}，可是{a.he}记得朋友们说的话。", "店里摆着{z.a}，可是没有人想要它。"),
        "buys": ("{a}买了两件礼物。", "所以{a}只买了两样东西。"),
        "gift b": ("{b}得到了{x}，笑了起来。", "{a}先把{x}送给了{b}。"),
        "gift c": ("{c}得到了{y}，跳起舞来。", "然后{a}把{y}送给了{c}。"),
        # -------------------------------------------------------------------------------- moved away
        "move": (
            "{a}、{b}住在一起，同住的还有{c.a}。{a}有{thing.a}。",
            "同一座房子里还住着{c.a}。{a}有{thing.a}，很得意。",
        ),
        "puts": ("{a}把{thing}放在{before}。", "每天晚上，{thing}都放在{before}。"),
        "leaves": ("然后{a}去了{away}。", "吃过早饭，{a}走到了{away}。"),
        "moves": (
            "在家里，{c}玩了玩{thing}，把它放在了{after}。",
            "{a}不在的时候，{c}拿了{thing}，放在了{after}。",
        ),
        "returns": ("下午，{a}回来了。", "{a}回到家，屋子里很安静。"),
        "looks before": (
            "{a}看了看{before}，{thing}不在那里。",
            "可是{before}是空的。“谁拿了{thing}？”{a}问。",
        ),
        "told": (
            "“对不起，”{c}说，“在{after}。”{a}果然找到了{thing}。",
            "{c}告诉{a}，{thing}在{after}，{a}把它拿了回来。",
        ),
        # --------------------------------------------------------------------------------------- end
        "evening": ("到了晚上，{weather.gone}。", "天黑了，{weather.gone}。"),
        "better": ("{a}不再{mood}了。", "{a}原来很{mood}，现在笑了。"),
        "friend better": ("{b}也不再{other_mood}了。", "连原来很{other_mood}的{b}也高兴了。"),
    },
    questions={
        "why": ("{a}为什么{mood}？", "因为{cause}"),
        "why other": ("{b}为什么{other_mood}？", "因为{other_cause}"),
        "who felt": ("开始的时候谁很{mood}？", "{a}"),
        "who felt other": ("开始的时候谁很{other_mood}？", "{b}"),
        "home": ("{a}的家在哪里？", "在{home.near}附近"),
        "count": ("{a}看见了几只{animals}？", "{number.of}只"),
        "stranger": ("{a}向谁问好？", "{stranger}"),
        "rest": ("{a}在什么树下休息？", "{tree}"),
        "cloud": ("那朵云像什么？", "{shape}"),
        "sing": ("{a}的歌里唱的是什么？", "{song}"),
        "eat": ("{a}吃了什么？", "{food}"),
        "bell": ("钟响了几下？", "{times.of}下"),
        "left": ("{a}把{thing}忘在了哪里？", "{left.at}"),
        "first place": ("{a}先去了哪里？", "{place0}"),
        "lost": ("{a}丢了什么？", "{thing}"),
        "helped": ("谁帮{a}找{thing}？", "{c}"),
        "has mine": ("最后{mine}在谁手里？", "{has_mine}"),
        "has yours": ("最后{yours}在谁手里？", "{has_yours}"),
        "first owner": ("{yours}原来是谁的？", "{b}"),
        "where met": ("{a}和{b}在哪里见面？", "{where.at}"),
        "gave": ("谁送给了{c}东西？", "{giver}"),
        "found first": ("谁先被找到？", "{first}"),
        "found last": ("谁最后被找到？", "{second}"),
        "spot b": ("{b}藏在哪里？", "在{spot_b}"),
        "spot c": ("{c}藏在哪里？", "在{spot_c}"),
        "counted to": ("{a}数到了几？", "{count}"),
        "got b": ("{b}得到了什么？", "{x}"),
        "got c": ("{c}得到了什么？", "{y}"),
        "stayed": ("什么留在了店里？", "{z}"),
        "where bought": ("商店在哪里？", "在{shop.near}附近"),
        "before": ("{a}先在哪里找{thing}？", "在{before}"),
        "after": ("{a}回来的时候{thing}在哪里？", "在{after}"),
        "mover": ("谁动了{thing}？", "{c}"),
        "away": ("{thing}被拿走的时候{a}在哪里？", "{away.at}"),
    },
    closing="问题：{question}答案：{answer}。",
    space="",
)
