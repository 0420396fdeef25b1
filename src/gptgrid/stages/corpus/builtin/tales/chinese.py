"""The tales in Chinese: words and sentences of a children's story. Nouns bring their measure words along."""

from gptgrid.stages.corpus.builtin.tales.language import Language
from gptgrid.stages.corpus.builtin.tales.world import (
    Amount,
    Character,
    Food,
    Item,
    Kind,
    Mood,
    Number,
    Place,
    Spot,
    Thing,
    Trait,
    Weather,
)


def character(name: str, kind: Kind, trait: Trait) -> Character:
    """Return somebody who is introduced as `一只害羞的小狐狸，名叫豆豆`."""
    return Character(name, f"一{kind.measure}{trait}{kind}，名叫{name}", trait.said)


def thing(colour: str, item: Item) -> Thing:
    """Return `一只红风筝`, `这只红风筝`."""
    name = f"{colour}{item}"
    return Thing(name, f"一{item.many}{name}", f"这{item.many}{name}")


def amount(number: Number, item: Item) -> Amount:
    """Return `三只鸭子`."""
    return Amount(f"{number}{item.many}{item}", number, item)


GIRLS = ("朵朵", "圆圆", "妞妞", "安安", "甜甜", "花花", "笑笑", "果果")
BOYS = ("豆豆", "乐乐", "点点", "毛毛", "壮壮", "强强", "阿福", "东东")

SENTENCES = {
    # 开头和结尾
    "opening": (
        "从前，有{a.a}。",
        "很久很久以前，村子里住着{a.a}。",
        "森林边上住着{a.a}。",
        "在一座小房子里，住着{a.a}。",
    ),
    "morning": ("{weather.morning}",),
    "next_day": ("第二天到了。", "又一个早晨来了。"),
    "feels": (
        "这一天{who}觉得很{mood}，因为{mood.cause}。",
        "{mood.cause}，所以{who}很{mood}。",
        "{who}一早就很{mood}，原来是因为{mood.cause}。",
    ),
    "friend": ("{a}有个好朋友，是{b.a}。", "{a}的隔壁住着{b.a}。", "{a}认识{b.a}。"),
    "friend/second": ("{a}还有一个朋友，是{b.a}。", "{a}也认识{b.a}。"),
    "evening": ("{weather.evening}",),
    "cheered": (
        "{who}不再觉得{mood}了。",
        "早上还很{mood}的{who}，现在笑了。",
        "过了这样的一天，{who}怎么还会{mood}呢？",
    ),
    "dreams": ("这天夜里，{who}梦见了{dream}。", "{who}睡着了，梦见了{dream}。"),
    # 小事
    "counts": ("{who}看见了{amount}。", "路上{who}数了数，有{amount}。", "{who}在路上遇见了{amount}。"),
    "eats": ("{who}饿了，吃了{food.a}。", "不一会儿，{who}吃掉了{food.a}。"),
    "does": ("{who}{what}。", "{who}在那儿{what}。"),
    "meets": ("一位{what}跟{who}打招呼。", "一位{what}向{who}问路。"),
    "weather": ("{weather.later}", "{who}抬头看了看。{weather.later}"),
    "hears": ("{who}听见了{what}。", "这时候，{who}听见了{what}。"),
    "strikes": ("大钟敲了{number}下。", "这时候，大钟敲了{number}下。"),
    "remembers": ("{who}想起了{what}。", "{who}不由得想起了{what}。"),
    # 走动
    "goes": ("{who}来到{place.at}。", "然后，{who}走到{place.at}。", "接着，{who}跑到{place.at}。"),
    "goes/out": ("{who}出了门，来到{place.at}。", "{who}出门去了{place.at}。", "{who}一路走到{place.at}。"),
    "returns": ("傍晚，{who}回家了。", "然后，{who}回到了家。", "最后，{who}到家了。"),
    "comes": ("这时来了{who.a}。", "石头上坐着{who.a}。", "忽然，旁边出现了{who.a}。"),
    "waits": ("{who}已经在那儿了。", "{who}正在那儿等着。", "那儿是谁呢？原来是{who}。"),
    # 东西和主人
    "owns": ("{who}有{thing.a}。", "{who}最喜欢玩自己的{thing}。", "{who}的宝贝是{thing.a}。"),
    "gives": (
        "{giver}把{thing}给了{to}。",
        "{giver}{giver.said}：“{to}，{thing.the}给你。”",
        "{to}从{giver}手里接过了{thing}。",
    ),
    "thanks": (
        "{who}{who.said}：“谢谢你。”",
        "{who}{who.said}：“你真好。”",
        "{who}{who.said}：“真的是给我的吗？”",
    ),
    # 丢东西
    "puts": (
        "{who}放下{thing}，蹲下来系鞋带，走的时候忘了拿。",
        "{who}把{thing}放在一边，打了个喷嚏，然后空着手走了。",
        "{who}放下{thing}，去帮一只甲虫翻身，后来就忘了拿。",
    ),
    "misses": ("可是，{thing}到哪儿去了呢？", "{who}到处找{thing}，可是找不到。"),
    "asks": ("{who}{who.said}：“你最后一次看见它是在哪儿？”", "{who}{who.said}：“想想你都去过哪些地方。”"),
    "recalls": ("{who}{who.said}：“我把它忘在{place.at}了！”", "{who}{who.said}：“它一定在{place.at}。”"),
    "recalls/silently": ("{who}{who.said}：“我想起来了！”", "{who}{who.said}：“我知道它在哪儿了。”"),
    "both_go_back": ("{a}和{b}一起回去，{thing}果然还在那儿。", "{a}和{b}一起跑到那儿，找到了{thing}。"),
    # 愿望
    "wishes": (
        "{who}病了，躺在床上，很想要{thing.a}。",
        "{who}发烧了，对{a}说想要{thing.a}。",
        "{who}躺在床上{who.said}：“我病了，要是有{thing.a}就好了。”",
    ),
    "promises": ("{who}{who.said}：“我去给你拿。”", "{who}{who.said}：“{to}，我很快就回来。”"),
    "invites": ("{who}{who.said}：“留下来跟我玩吧。”", "{who}{who.said}：“陪我玩一会儿好吗？”"),
    "declines": ("{who}{who.said}：“{b}在等我呢。”", "{who}{who.said}：“我答应了朋友，不能留下。”"),
    "lie": ("那儿有{x.a}、{y.a}和{z.a}。", "{who}在那儿看见了{x.a}、{y.a}和{z.a}。"),
    "takes": ("{who}拿了{thing}，别的都没有动。", "{who}只要{thing}。"),
    "takes/silently": ("{who}马上就知道该拿哪一样。", "{who}只拿了答应过的那一样。"),
    "gives/wish": ("{giver}把礼物放在枕头边，{to}紧紧地抱住了它。", "{to}醒来，看见了{giver}带回来的礼物。"),
    # 交换
    "offers_swap": ("{who}{who.said}：“我们换一换吧。”", "{who}{who.said}：“我更喜欢你的那一样。”"),
    "agrees": ("{who}{who.said}：“好主意。”", "{who}{who.said}：“这样我们都有新东西玩了。”"),
    "swaps": ("于是{a}得到了{yours}，{b}得到了{mine}。", "于是{b}拿了{mine}，{a}拿了{yours}。"),
    "has_nothing": ("{who}没有东西玩。", "{who}{who.said}：“我什么玩的都没有。”"),
    "all_return": ("傍晚，大家都回家了。", "该回家了。"),
    "carries": ("{who}带着{thing}回了家。", "{thing}跟着{who}回了家。"),
    # 捉迷藏
    "plays": ("{a}、{b}和{c}一起玩捉迷藏。", "{b}和{c}藏起来，让{a}来找。"),
    "counts_to": ("{who}闭上眼睛，数到{number}。", "{who}对着墙，数到{number}。"),
    "hides": ("{who}躲到了{spot.at}。", "{who}跑开了，躲到{spot.at}。", "{spot.at}正好能藏下{who}。"),
    "nobody": ("{who}看了看{spot.at}，没有人。", "{who}找了找{spot.at}，那儿只有灰尘。"),
    "finds/at": ("{who}看了看{spot.at}，找到了{whom}。", "{spot.at}坐着{whom}。"),
    "finds": ("后来，{who}找到了{whom}。", "{whom}忍不住笑出了声，于是{who}知道该往哪儿找了。"),
    "is_found": ("{who}{who.said}：“你真会找。”", "{who}{who.said}：“你怎么找了这么久？”"),
    # 换地方
    "puts/spot": ("{who}把{thing}放在{where.at}。", "{who}把{thing}收在{where.at}。"),
    "plays_with": ("{who}留在家里玩{thing}。", "这时候，{who}拿了{thing}来玩。"),
    "moves": ("后来，{who}把{thing}放到了{where.at}。", "玩够了，{who}把{thing}留在了{where.at}。"),
    "looks": (
        "{who}到{spot.at}找{thing}，可是什么也没有。",
        "{who}想玩{thing}，就去看{spot.at}。那儿空空的。",
    ),
    "wonders": ("{who}{who.said}：“一定是谁拿走了！”", "{who}{who.said}：“这是怎么回事？”"),
    "says_where": ("{who}{who.said}：“看看{spot.at}。”", "{who}{who.said}：“我把它放在{spot.at}了。”"),
    "takes/spot": (
        "{who}{who.said}：“等一等。”说完就把{thing}拿来了。",
        "{who}{who.said}：“我知道它在哪儿。”说完就去拿来了。",
    ),
    "is_glad": ("{who}笑了。", "{who}高兴极了！"),
    # 篮子
    "lives": ("{place}附近住着{who.a}。", "离{place}不远，住着{who.a}。"),
    "packs": ("{a}给两个朋友装了一篮子礼物。", "{a}要去看两个朋友，装好了一个篮子。"),
    "meant": ("{thing}是给{who}的。", "给{who}的是{thing.a}。"),
    "opens": ("{who}开了门。", "{who}正坐在台阶上。"),
    "gives/silently": ("{giver}从篮子里拿出了给{to}的礼物。", "{to}往篮子里一看，拿出了自己的那份礼物。"),
    # 收获
    "to_orchard": ("{a}和{b}一起去摘{item}。", "该摘{item}了，{a}和{b}一起出了门。"),
    "picks": ("{who}摘了{amount}。", "{who}找到了{amount}。"),
    "shares": ("{giver}给了{to}{amount}。", "{to}从{giver}那儿得到了{amount}。"),
    "uses": (
        "{who}弄丢了{amount}。",
        "{who}把{amount}送给了一只饿坏了的乌鸦。",
        "{who}留下{amount}给小鸟吃。",
    ),
    "gains": ("{who}又找到了{amount}。", "后来，{who}又摘了{amount}。"),
    "carry_home": ("然后，{a}和{b}带着{item}回家了。", "{a}和{b}把{item}拿回了家。"),
    "has_left": ("现在{who}有{amount}。", "回到家，{who}又数了一遍：{amount}。"),
}

QUESTIONS = {
    "felt": ("{who}一开始心情怎么样？", "很{answer}。"),
    "why": ("{who}一开始为什么很{mood}？", "因为{answer.cause}。"),
    "counted": ("{who}看见了几{item.many}{item}？", "{answer}{item.many}。"),
    "eaten": ("{who}吃了什么？", "{answer.a}。"),
    "left": ("{who}把{thing}忘在哪儿了？", "{answer.at}。"),
    "wished": ("{who}想要什么？", "{answer.a}。"),
    "invited": ("谁在路上想跟{who}玩？", "{answer}。"),
    "found": ("{who}在哪儿找到了礼物？", "{answer.at}。"),
    "first": ("{thing}一开始是谁的？", "{answer}的。"),
    "met": ("{a}和{b}是在哪儿见面的？", "{answer.at}。"),
    "last": ("{thing}最后在谁手里？", "{answer}。"),
    "counted_to": ("{who}数到了几？", "{answer}。"),
    "hid": ("{who}躲在哪儿？", "{answer.at}。"),
    "found_first": ("{who}先找到了谁？", "{answer}。"),
    "kept": ("{who}先到哪儿找{thing}？", "{answer.at}。"),
    "moved": ("{who}把{thing}放到了哪儿？", "{answer.at}。"),
    "was": ("{b}挪动{thing}的时候，{who}在哪儿？", "{answer.at}。"),
    "lived": ("{who}住在哪儿？", "{answer}附近。"),
    "got": ("篮子里给{who}的是什么？", "{answer.a}。"),
    "has": ("{who}最后有几{item.many}{item}？", "{answer}{item.many}。"),
    # 只在对话里问
    "had": ("{who}有什么？", "{answer.a}。"),
    "owner": ("{thing}是谁的？", "{answer}的。"),
    "colour": ("{who}的{item}是什么颜色的？", "{answer}色。"),
    "mood": ("{who}心情怎么样？", "很{answer}。"),
    "moody": ("谁很{mood}？", "{answer}。"),
    "cause": ("{who}为什么很{mood}？", "{answer.cause}。"),
    "eater": ("谁吃了{food.a}？", "{answer}。"),
    "counter": ("谁看见了{amount}？", "{answer}。"),
    "hider": ("谁躲在{spot.at}？", "{answer}。"),
    "went_first": ("{who}先去了哪儿？", "{answer.at}。"),
    "at_last": ("{who}最后在哪儿？", "{answer.at}。"),
    "there_last": ("最后谁在{place.at}？", "{answer}。"),
    "lay_first": ("{thing}一开始在哪儿？", "{answer.at}。"),
    "lay_last": ("{thing}最后在哪儿？", "{answer.at}。"),
    "giver": ("谁把{thing}给了{to}？", "{answer}。"),
    "has_last": ("{who}最后有什么？", "{answer.a}。"),
}

CHINESE = Language(
    code="zh",
    names=tuple(name for pair in zip(GIRLS, BOYS, strict=True) for name in pair),
    girls=frozenset(GIRLS),
    animals=(
        Kind("小兔子", "只"),
        Kind("小狐狸", "只"),
        Kind("小熊", "只"),
        Kind("小马", "匹"),
        Kind("小松鼠", "只"),
        Kind("小刺猬", "只"),
        Kind("小象", "头"),
    ),
    girl=Kind("小姑娘", "个"),
    boy=Kind("小男孩", "个"),
    traits=(
        Trait("害羞的", "小声说"),
        Trait("爱嚷嚷的", "大声说"),
        Trait("聪明的", "想了想说"),
        Trait("温柔的", "轻轻地说"),
        Trait("爱睡觉的", "打着哈欠说"),
        Trait("调皮的", "笑嘻嘻地说"),
        Trait("骄傲的", "得意地说"),
    ),
    moods=(
        Mood("难过", "牙疼得厉害"),
        Mood("孤单", "没有人来做客"),
        Mood("无聊", "没有事情可做"),
        Mood("生气", "牛奶喝光了"),
        Mood("担心", "小猫没有回家"),
        Mood("紧张", "快要开学了"),
        Mood("着急", "作业还没有写完"),
    ),
    weathers=(
        Weather("太阳", "太阳出来了。", "太阳晒暖了石头。", "太阳慢慢地落山了。"),
        Weather("雨", "天下着雨。", "雨水顺着树叶往下流。", "到了晚上，雨停了。"),
        Weather("风", "外面刮着大风。", "风把衣服吹得鼓鼓的。", "最后，风也累了，停了下来。"),
        Weather("雾", "田野上起了雾。", "雾里的大树像巨人一样。", "星星出来了，躲在雾的后面。"),
        Weather("云", "天上满是灰色的云。", "云压得低低的。", "晚霞把最后的云染红了。"),
    ),
    places=(
        Place("池塘", "池塘边"),
        Place("集市", "集市上"),
        Place("谷仓", "谷仓里"),
        Place("石桥", "石桥上"),
        Place("花园", "花园里"),
        Place("磨坊", "磨坊里"),
        Place("公园", "公园里"),
        Place("水井", "水井旁"),
        Place("沙滩", "沙滩上"),
        Place("草地", "草地上"),
        Place("学校", "学校门口"),
        Place("码头", "码头上"),
    ),
    spots=tuple(
        Spot(spot, spot)
        for spot in (
            "床底下",
            "柜子里",
            "窗帘后面",
            "楼梯下面",
            "门后面",
            "大筐里",
            "桌子下面",
            "大钟后面",
            "木箱里",
            "炉子旁边",
        )
    ),
    colours=("红", "蓝", "绿", "黄", "白", "黑", "紫", "橙", "灰", "金"),
    things=(
        Item("皮球", "个"),
        Item("风筝", "只"),
        Item("鼓", "面"),
        Item("帽子", "顶"),
        Item("杯子", "个"),
        Item("纸船", "只"),
        Item("铃铛", "个"),
        Item("灯笼", "盏"),
        Item("围巾", "条"),
        Item("丝带", "条"),
        Item("哨子", "个"),
        Item("雨伞", "把"),
    ),
    foods=(
        Food("苹果派", "一块苹果派"),
        Food("面包", "一片面包"),
        Food("汤", "一碗汤"),
        Food("蜂蜜蛋糕", "一块蜂蜜蛋糕"),
        Food("花生", "一把花生"),
        Food("西瓜", "一片西瓜"),
    ),
    fruit=(Item("苹果", "个"), Item("梨", "个"), Item("桃子", "个"), Item("樱桃", "颗"), Item("草莓", "颗")),
    seen=(
        Item("鸭子", "只"),
        Item("麻雀", "只"),
        Item("蜗牛", "只"),
        Item("小狗", "条"),
        Item("马车", "辆"),
        Item("天鹅", "只"),
        Item("母鸡", "只"),
    ),
    numbers=tuple(
        Number(name, value)
        for value, name in enumerate(
            ("一", "两", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"), 1
        )
    ),
    phrases={
        "does": ("唱了一首歌", "歇了一会儿", "画了一幅画", "四处看了看", "哼了一会儿歌", "跳了一支舞"),
        "meets": ("农夫", "邮递员", "水手", "护士", "养蜂人"),
        "hears": ("关门的声音", "脚步声", "远处的铃声", "咳嗽声", "狗叫声"),
        "remembers": ("夏天", "一首老歌", "一个好笑的梦", "一次长长的旅行", "大海"),
        "dream": ("会飞的船", "蛋糕堆成的山", "会说话的树", "海底的城市", "月亮上的马"),
    },
    sentences=SENTENCES,
    questions=QUESTIONS,
    closing="问题：{asked.question}答案：{asked.answer}",
    character=character,
    thing=thing,
    amount=amount,
    blank="",
    reach=(30, 330),
    day=250,
    length=len,
)
